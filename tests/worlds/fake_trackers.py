"""Modules that stand in for trackio and MLflow: what they are told is written into a file."""

TRACKIO = """
import json, os, sys, time

class Image:
    def __init__(self, value): self.size = value.size

class Table:
    def __init__(self, columns, data, allow_mixed_types): self.columns, self.data = columns, data

def _told(kind, **values):
    with open(os.environ["TOLD"], "a") as file:
        file.write(json.dumps({"kind": kind, **values}, default=lambda one: list(one.size)) + "\\n")

class Run:
    def log(self, values, step=None):
        for name, one in values.items():
            if isinstance(one, Table):
                return _told("table", name=name, columns=one.columns, rows=one.data)
        _told("points", values=values, step=step)

def init(**asked):
    how = os.environ.get("HOW", "")
    if how == "fail":
        raise ConnectionError("the network is cut\\nand more")
    if how == "hang":
        time.sleep(600)
    if how == "die":
        os.kill(os.getpid(), 9)
    _told("init", asked=asked, names=[one for one in os.environ if one.startswith("TRACKIO_")])
    return Run()

def finish():
    _told("finish")
"""

MLFLOW = """
import json, os, types, sys

class Image:
    def __init__(self, value): self.size = value.size

def _told(kind, **values):
    with open(os.environ["TOLD"], "a") as file:
        file.write(json.dumps({"kind": kind, **values}, default=lambda one: list(one.size)) + "\\n")

def set_tracking_uri(uri): _told("uri", uri=uri)

class MlflowClient:
    def __init__(self, tracking_uri, registry_uri): _told("client", uri=tracking_uri)
    def get_experiment_by_name(self, name): return None
    def create_experiment(self, name): _told("experiment", name=name); return "1"
    def search_runs(self, experiments, query, max_results): return []
    def create_run(self, experiment, tags, run_name):
        _told("run", tags=tags, name=run_name)
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id="r"))
    def log_param(self, run, name, value): _told("param", name=name, value=value)
    def log_batch(self, run, metrics):
        _told("points", values={one[0]: one[1] for one in metrics}, step=metrics[0][3])
    def log_table(self, run, data, name): _told("table", name=name, columns=list(data))
    def set_terminated(self, run, status): _told("end", status=status)

entities = types.ModuleType("mlflow.entities")
entities.Metric = lambda *values: values
sys.modules["mlflow.entities"] = entities
"""
