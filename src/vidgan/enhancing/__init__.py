"""An enhanced video in the making: what is decided, what is kept on the way, how it is joined, what is told of it."""
