"""What the model may cost, beside the other tests of it."""

from models import small


def test_the_small_model_stays_small(cost):
    cost(small(), "1x3x32x32").assert_within(params="250 K", macs="20 M")
