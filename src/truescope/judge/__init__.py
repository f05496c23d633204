"""The judge: claims tested by intervening on the model, with controls."""
