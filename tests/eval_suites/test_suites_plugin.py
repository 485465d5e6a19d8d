import subprocess
import sys

from frostbench.eval_suites import plugin
from frostbench.plugins.contract.cards import REQUEST_TYPES
from frostbench.plugins.contract.task import Task
from frostbench.plugins.host.registry import Host
from frostbench.plugins.host.settings import read_settings


def offered(hook):
    return list(getattr(plugin, hook)())


def test_what_the_suites_offer_loads_and_says_of_itself_what_its_card_says():
    for offer in offered("frostbench_tasks"):
        task = offer.load()
        assert issubclass(task, Task)
        assert task.card == offer.card
        made = task(read_settings(task.settings, {}, offer.card.name))
        assert (made.card, made.data) == (offer.card, task.data)
        assert offer.card.request_type in REQUEST_TYPES
    for offer in (*offered("frostbench_datasets"), *offered("frostbench_metrics")):
        assert callable(offer.load())


def test_tasks_name_metrics_and_data_sets_that_are_offered():
    host = Host()
    host.name_networks(lambda role: {"mini": role})
    for offer in offered("frostbench_tasks"):
        assert offer.card.ranks_by in offer.card.metrics
        assert set(offer.card.metrics) <= set(host.metrics)
        assert offer.load().data in host.datasets


def test_the_host_takes_the_suites():
    host = Host(installed=False)
    host.register(plugin, "suites")


def test_offering_loads_no_torch():
    code = (
        "import sys; from frostbench.eval_suites import plugin;"
        "[list(getattr(plugin, name)()) for name in dir(plugin) if name.startswith('frostbench_')];"
        "sys.exit('torch' in sys.modules)"
    )
    path = ":".join(p for p in sys.path if p)
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=False)
    assert done.returncode == 0
