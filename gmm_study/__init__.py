"""Studies of deep generative models with binary latent layers."""
