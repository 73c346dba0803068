"""Where models come from: the zoo, torchvision, timm, files, and a user's own code."""
