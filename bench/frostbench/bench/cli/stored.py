"""The configuration behind a stored run."""

from frostbench.bench.cli.config import RunConfig, UsageError
from frostbench.bench.store.reader import StoredRun


def config_of(run: StoredRun) -> RunConfig:
    """The run's configuration, to make its plan again.

    Raises:
        UsageError: the stored configuration is of another version.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(RunConfig), dict(run.manifest.config))
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise UsageError(
            f"the configuration stored in {run.folder} does not fit this version of frostbench: "
            f"{str(error).splitlines()[0]}"
        ) from error
    assert isinstance(config, RunConfig)
    return config
