"""What a file of Every Eval Ever 0.3.0 must hold, as its documented fields say."""

import re

SHA = re.compile(r"[0-9a-f]{64}")
SAMPLES_FILE = re.compile(
    r"data/[^/]+/[^/]+/[^/]+/"
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}_samples\.jsonl"
)
HEAD = {
    "schema_version": str,
    "evaluation_id": str,
    "retrieved_timestamp": str,
    "source_metadata": dict,
    "model_info": dict,
    "eval_library": dict,
    "evaluation_results": list,
}
OPTIONAL = {"evaluation_timestamp": str, "detailed_evaluation_results": dict}
SAMPLE = {
    "schema_version": str,
    "evaluation_id": str,
    "model_id": str,
    "evaluation_name": str,
    "sample_id": str,
    "interaction_type": str,
    "input": dict,
    "answer_attribution": list,
    "evaluation": dict,
}


def check_evaluation(values):
    """Raise AssertionError where an aggregate file would be refused."""
    assert set(values) <= {*HEAD, *OPTIONAL}, "no other field is allowed"
    _typed(values, HEAD)
    _typed({key: values[key] for key in OPTIONAL if key in values}, {})
    source = values["source_metadata"]
    assert source["source_type"] in ("documentation", "evaluation_run")
    assert isinstance(source["source_organization_name"], str)
    relationships = ("first_party", "third_party", "collaborative", "other")
    assert source["evaluator_relationship"] in relationships
    _typed(values["eval_library"], {"name": str, "version": str})
    _model(values["model_info"])
    assert values["retrieved_timestamp"].isdecimal()
    for result in values["evaluation_results"]:
        _result(result)
    if "detailed_evaluation_results" in values:
        _detailed(values["detailed_evaluation_results"])


def check_sample(values):
    """Raise AssertionError where a line of a samples file would be refused."""
    _typed(values, SAMPLE)
    assert values["interaction_type"] == "single_turn"
    _typed(values["input"], {"raw": str, "reference": list})
    assert all(isinstance(text, str) for text in values["input"]["reference"])
    assert all(isinstance(text, str) for text in values["output"]["raw"])
    _typed(values["evaluation"], {"score": (int, float), "is_correct": bool})
    for answer in values["answer_attribution"]:
        _typed(
            answer,
            {
                "turn_idx": int,
                "source": str,
                "extracted_value": str,
                "extraction_method": str,
                "is_terminal": bool,
            },
        )
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert isinstance(values["token_usage"][name], int)
    _texts(values.get("metadata", {}))


def _typed(values, fields):
    for name, kind in fields.items():
        assert name in values, f"{name} is missing"
        assert isinstance(values[name], kind), f"{name} is {values[name]!r}"


def _texts(values):
    assert all(isinstance(value, str) for value in values.values()), values


def _model(values):
    _typed(values, {"name": str, "id": str, "additional_details": dict})
    details = values["additional_details"]
    assert details["deployment_type"] in ("self_deployed", "externally_managed", "unknown")
    assert details["model_availability"] in ("open_weights", "closed_weights", "unknown")
    _texts(details)
    assert values["id"].count("/") == 1


def _result(values):
    _typed(
        values,
        {
            "evaluation_name": str,
            "source_data": dict,
            "metric_config": dict,
            "score_details": dict,
        },
    )
    source = values["source_data"]
    _typed(source, {"dataset_name": str, "source_type": str})
    assert source["source_type"] in ("url", "hf_dataset", "other")
    if source["source_type"] == "url":
        assert source["url"]
    _texts(source.get("additional_details", {}))
    metric = values["metric_config"]
    _typed(metric, {"lower_is_better": bool})
    if metric.get("score_type") == "continuous":
        _typed(metric, {"min_score": (int, float), "max_score": (int, float)})
    details = values["score_details"]
    assert type(details["score"]) in (int, float)
    _texts(details["details"])
    if "uncertainty" in details:
        uncertain = details["uncertainty"]
        assert type(uncertain["num_samples"]) is int
        if "confidence_interval" in uncertain:
            ends = uncertain["confidence_interval"]
            assert ends["lower"] <= ends["upper"]
            assert 0 <= ends["confidence_level"] <= 1


def _detailed(values):
    assert values["format"] == "jsonl"
    assert SAMPLES_FILE.fullmatch(values["file_path"])
    assert values["hash_algorithm"] == "sha256"
    assert SHA.fullmatch(values["checksum"])
    assert type(values["total_rows"]) is int
