"""The options that commands share, each declared once, in records of those that belong together."""

from dualcost.cli.options.change import Change as Change
from dualcost.cli.options.limits import Limits as Limits
from dualcost.cli.options.option import COUNTED as COUNTED
from dualcost.cli.options.option import INPUT as INPUT
from dualcost.cli.options.option import LATENCY as LATENCY
from dualcost.cli.options.option import OUTPUT as OUTPUT
from dualcost.cli.options.option import REWRITE as REWRITE
from dualcost.cli.options.option import VIEW as VIEW
from dualcost.cli.options.option import Debug as Debug
from dualcost.cli.options.option import Model as Model
from dualcost.cli.options.option import Time as Time
from dualcost.cli.options.option import Unit as Unit
from dualcost.cli.options.option import one_of as one_of
from dualcost.cli.options.output import Output as Output
from dualcost.cli.options.prediction import Prediction as Prediction
from dualcost.cli.options.source import Source as Source
from dualcost.cli.options.told import Forms as Forms
from dualcost.cli.options.told import Metrics as Metrics
from dualcost.cli.options.told import Without as Without
from dualcost.cli.options.view import View as View
