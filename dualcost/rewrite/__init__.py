"""Which sites become what: rules, exceptions, plans, and the network that comes of them."""
