"""Where models come from: the zoo, torchvision, timm, files, and a user's own code."""

from dualcost.nn.sources.code import from_code as from_code
from dualcost.nn.sources.exported import load as load
