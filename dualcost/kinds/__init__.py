"""The kinds of convolution as recipes, and the paper's equations that they are held against."""
