"""The game between generator and discriminator, and the loop that plays it."""
