"""One public function for each verb: the Python API.

Read `demo` first: it is the main job from end to end; `trace` and `judge` are its two halves for any model.
"""

from truescope.pipelines.demo import DemoReport, demo
from truescope.pipelines.doctor import examine
from truescope.pipelines.judge import JudgeReport, judge
from truescope.pipelines.runs import find_page, list_runs
from truescope.pipelines.sites import describe_sites
from truescope.pipelines.trace import TraceReport, trace

__all__ = [
    "DemoReport",
    "JudgeReport",
    "TraceReport",
    "demo",
    "describe_sites",
    "examine",
    "find_page",
    "judge",
    "list_runs",
    "trace",
]
