"""The programs of that process, which import torch too."""
