"""Which sites become what: requests, rules, exceptions, plans, and the plain ops that then run."""
