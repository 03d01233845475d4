"""python/tests/test_utils.py: settings, saving, environment variables and other helpers, in one process."""

import collections
import datetime
import logging
import os
import pathlib
import stat
import subprocess
import sys

import pytest
import torch

from accelerate.commands.config import load_config_from_file
from accelerate.errors import CheckpointError, ConfigError
from accelerate.utils import (
    AutocastKwargs,
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    GradScalerKwargs,
    InitProcessGroupKwargs,
    LoggerType,
    PrecisionType,
    ProjectConfiguration,
    RNGType,
    TorchDynamoPlugin,
    clear_environment,
    compare_versions,
    convert_bytes,
    extract_model_from_parallel,
    get_int_from_env,
    get_pretty_name,
    is_port_in_use,
    is_torch_version,
    later,
    load,
    merge_dicts,
    parse_choice_from_env,
    parse_flag_from_env,
    patch_environment,
    purge_accelerate_environment,
    recursive_getattr,
    save,
    str_to_bool,
)


class TestSettings:
    def test_types_compare_and_print_as_scripts_expect(self):
        assert DistributedType.MULTI_CPU == "MULTI_CPU"
        assert DistributedType("NO") is DistributedType.NO
        assert str(PrecisionType.BF16) == "bf16" and PrecisionType.BF16 == "bf16"
        assert "fp16" in PrecisionType and "fp99" not in PrecisionType
        assert LoggerType.list()[0] == "all"
        assert RNGType("torch") is RNGType.TORCH

    def test_only_what_differs_from_the_default_is_passed_on(self):
        assert AutocastKwargs().to_kwargs() == {}
        assert GradScalerKwargs(growth_factor=3.0).to_kwargs() == {"growth_factor": 3.0}
        assert GradientAccumulationPlugin(num_steps=2).to_kwargs() == {"num_steps": 2}
        assert GradientAccumulationPlugin(num_steps=None).num_steps == 1

    def test_reducer_options_reach_the_engine(self):
        native = DistributedDataParallelKwargs(
            bucket_cap_mb=3, find_unused_parameters=True, broadcast_buffers=False, gradient_as_bucket_view=True
        ).to_native()
        assert native.bucket_cap_mb == 3
        assert native.find_unused_parameters and native.gradient_as_bucket_view
        assert not native.broadcast_buffers and not native.static_graph

    @pytest.mark.parametrize(
        "unsupported",
        [{"dim": 1}, {"check_reduction": True}, {"comm_hook": "lz4"}, {"comm_wrapper": "bf16"}, {"bucket_cap_mb": -1}],
    )
    def test_reducer_options_that_are_not_supported_are_named(self, unsupported):
        with pytest.raises(ConfigError, match=next(iter(unsupported))):
            DistributedDataParallelKwargs(**unsupported).to_native()

    def test_timeout_depends_on_the_backend_as_in_the_original(self):
        assert InitProcessGroupKwargs().timeout == datetime.timedelta(seconds=600)
        assert InitProcessGroupKwargs(backend="gloo").timeout == datetime.timedelta(seconds=1800)
        assert InitProcessGroupKwargs(timeout=datetime.timedelta(seconds=5)).timeout.total_seconds() == 5
        with pytest.raises(ConfigError, match="init_method"):
            InitProcessGroupKwargs(init_method="tcp://127.0.0.1:1")

    def test_folders_of_a_project(self):
        assert ProjectConfiguration(project_dir="a").logging_dir == "a"
        configuration = ProjectConfiguration(logging_dir="logs")
        configuration.set_directories("b")
        assert (configuration.project_dir, configuration.logging_dir) == ("b", "logs")

    def test_a_compiler_is_refused_and_none_is_accepted(self):
        assert str(TorchDynamoPlugin().backend) == "NO"
        assert TorchDynamoPlugin(backend="inductor", disable=True).backend == "INDUCTOR"
        with pytest.raises(ConfigError, match="INDUCTOR"):
            TorchDynamoPlugin(backend="inductor")

    def test_names_of_later_versions_explain_themselves(self):
        for name, value in vars(later).items():
            if name[0] != "_" and getattr(value, "__module__", "") == later.__name__ and not name.startswith("later_"):
                with pytest.raises(ConfigError, match=f"{name}.*not supported yet"):
                    value()
        assert not isinstance(None, later.DeepSpeedPlugin)


def test_every_listed_name_exists():
    import accelerate
    import accelerate.utils

    for module in (accelerate, accelerate.utils):
        for name in module.__all__:
            assert getattr(module, name) is not None, name
        assert set(module.__all__) <= set(dir(module))
        with pytest.raises(AttributeError, match="no_such_name"):
            module.no_such_name


def test_tqdm_is_the_function_however_it_is_imported():
    script = "import accelerate.utils.tqdm as a; from accelerate.utils import tqdm; assert callable(tqdm)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_importing_helpers_loads_no_library():
    script = (
        "import sys, torch; before = set(sys.modules)\n"
        "import accelerate; from accelerate.utils import *; from accelerate.logging import get_logger\n"
        "heavy = {'transformers', 'datasets', 'tqdm', 'torch._dynamo', 'safetensors', 'numpy', 'packaging'}\n"
        "print(sorted(heavy & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


class TestEnvironment:
    @pytest.mark.parametrize("text", ["y", "Yes", "t", "TRUE", "on", "1"])
    def test_true(self, text):
        assert str_to_bool(text) == 1 and str_to_bool(text, to_bool=True) is True

    @pytest.mark.parametrize("text", ["n", "No", "f", "FALSE", "off", "0"])
    def test_false(self, text):
        assert str_to_bool(text) == 0 and str_to_bool(text, to_bool=True) is False

    def test_neither_names_the_variable(self, monkeypatch):
        monkeypatch.setenv("ACCELERATE_X", "maybe")
        with pytest.raises(ValueError, match="maybe.*ACCELERATE_X"):
            parse_flag_from_env("ACCELERATE_X")

    def test_values_and_defaults(self, monkeypatch):
        monkeypatch.setenv("ACCELERATE_A", "3")
        assert get_int_from_env(["ACCELERATE_NONE", "ACCELERATE_A"], 7) == 3
        assert get_int_from_env(["ACCELERATE_NONE"], 7) == 7
        monkeypatch.setenv("ACCELERATE_B", "many")
        with pytest.raises(ValueError, match="ACCELERATE_B='many'"):
            get_int_from_env(["ACCELERATE_B"], 7)
        assert parse_choice_from_env("ACCELERATE_A") == "3" and parse_choice_from_env("ACCELERATE_NONE") == "no"
        assert parse_flag_from_env("ACCELERATE_NONE") is False and parse_flag_from_env("ACCELERATE_NONE", True) is True

    def test_variables_are_restored_after_an_error(self, monkeypatch):
        monkeypatch.setenv("ACCELERATE_A", "old")
        with pytest.raises(RuntimeError), patch_environment(accelerate_a=1, accelerate_b=2):
            assert (os.environ["ACCELERATE_A"], os.environ["ACCELERATE_B"]) == ("1", "2")
            del os.environ["ACCELERATE_A"]
            raise RuntimeError
        assert os.environ["ACCELERATE_A"] == "old" and "ACCELERATE_B" not in os.environ

    def test_a_cleared_environment_comes_back(self):
        before = dict(os.environ)
        with clear_environment():
            assert not os.environ
            os.environ["ACCELERATE_A"] = "1"
        assert dict(os.environ) == before

    def test_purge_covers_functions_and_methods_of_tests(self):
        @purge_accelerate_environment
        def function():
            os.environ["ACCELERATE_A"] = "1"
            return 5

        @purge_accelerate_environment
        class Tests:
            def test_one(self):
                os.environ["ACCELERATE_A"] = "1"

        assert function() == 5
        Tests().test_one()
        assert "ACCELERATE_A" not in os.environ


class TestConfigurationFile:
    @pytest.mark.parametrize("name, text", [("a.yaml", "num_processes: 3\n"), ("a.yaml", '{"num_processes": 3}')])
    def test_both_formats(self, tmp_path, name, text):
        (tmp_path / name).write_text(text)
        config = load_config_from_file(str(tmp_path / name))
        assert config.num_processes == 3 and config.to_dict() == {"num_processes": 3}

    @pytest.mark.parametrize(
        "name, text, words",
        [
            ("a.yaml", "a: [", "not YAML"),
            ("a.json", "{", "not JSON"),
            ("a.yaml", "- 1", "holds a list"),
            ("a.json", None, "No such file"),
        ],
    )
    def test_what_cannot_be_read_is_explained(self, tmp_path, name, text, words):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match=f"{name}.*{words}"):
            load_config_from_file(str(tmp_path / name))


class TestVersions:
    def test_comparisons(self):
        assert is_torch_version(">=", "2.0") and not is_torch_version("<", "2.0")
        assert compare_versions("pytest", "!=", "0.1")
        with pytest.raises(ValueError, match="~="):
            compare_versions("torch", "~=", "2.0")


class TestSave:
    def test_a_pickle_comes_back(self, tmp_path, fresh_state):
        save({"a": torch.arange(3), "b": 5}, tmp_path / "x.bin")
        assert load(tmp_path / "x.bin")["a"].tolist() == [0, 1, 2]

    def test_numpy_arrays_load_as_weights(self, tmp_path, fresh_state):
        import numpy

        save({"a": numpy.arange(3, dtype=numpy.uint32)}, tmp_path / "x.bin")
        assert load(tmp_path / "x.bin")["a"].tolist() == [0, 1, 2]

    def test_safetensors_keep_the_first_of_equal_tensors_and_all_different_parts(self, tmp_path, fresh_state, caplog):
        from safetensors import safe_open

        base = torch.arange(6.0)
        state = collections.OrderedDict(a=base, tied=base, part=base[2:], turned=base.view(2, 3).t(), none=base[:0])
        save(state, tmp_path / "x.safetensors", safe_serialization=True)
        assert list(state) == ["a", "tied", "part", "turned", "none"]
        with safe_open(tmp_path / "x.safetensors", "pt") as file:
            assert file.metadata() == {"format": "pt"}
            assert set(file.keys()) == {"a", "part", "turned", "none"}
            assert file.get_tensor("part").tolist() == [2, 3, 4, 5]
            assert file.get_tensor("turned").tolist() == [[0, 3], [1, 4], [2, 5]]
        assert "tied (as a)" in caplog.text

    @pytest.mark.parametrize("bad, word", [({"w": 5}, "'w' is a int"), ([torch.ones(1)], "list")])
    def test_safetensors_refuse_what_they_cannot_hold(self, bad, word, tmp_path, fresh_state):
        with pytest.raises(ConfigError, match=word):
            save(bad, tmp_path / "x.safetensors", safe_serialization=True)
        assert list(tmp_path.iterdir()) == []

    def test_an_error_while_writing_leaves_the_old_file_alone(self, tmp_path, fresh_state):
        path = tmp_path / "x.bin"
        save("old", path)
        with pytest.raises(Exception, match="pickle"):
            save(lambda: None, path)
        assert load(path, weights_only=False) == "old"
        assert [found.name for found in tmp_path.iterdir()] == ["x.bin"]

    def test_the_file_has_ordinary_permissions(self, tmp_path, fresh_state):
        mask = os.umask(0o022)
        try:
            save(1, tmp_path / "x.bin")
        finally:
            os.umask(mask)
        assert stat.S_IMODE(os.stat(tmp_path / "x.bin").st_mode) == 0o644

    def test_a_missing_folder_is_named(self, tmp_path, fresh_state):
        with pytest.raises(CheckpointError, match="missing/x.bin.*No such file"):
            save(1, tmp_path / "missing/x.bin")

    def test_open_files_are_written_to(self, tmp_path, fresh_state):
        for safe in (False, True):
            with open(tmp_path / "x", "wb") as file:
                save({"a": torch.ones(1)}, file, safe_serialization=safe)
            assert (tmp_path / "x").stat().st_size > 50


class TestModels:
    def test_wrappers_come_off(self):
        model = torch.nn.Linear(1, 1)
        assert extract_model_from_parallel(model) is model
        assert extract_model_from_parallel(torch.nn.DataParallel(torch.nn.DataParallel(model))) is model
        outer = torch.nn.Sequential(torch.nn.DataParallel(model))
        assert extract_model_from_parallel(outer) is outer and outer[0] is not model
        assert extract_model_from_parallel(outer, recursive=True)[0] is model


def test_small_helpers(caplog):
    import socket

    assert merge_dicts({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}}) == {"a": {"b": 1, "d": 3}, "c": 2}
    assert [convert_bytes(size) for size in (5, 2048, 3 * 1024**4)] == ["5 bytes", "2.0 KB", "3.0 TB"]
    assert recursive_getattr(datetime, "datetime.min.year") == 1
    assert get_pretty_name(pathlib.PurePath) == "PurePath" and get_pretty_name(5) == "int"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert is_port_in_use(port)
    assert not is_port_in_use(port)
    assert not logging.getLogger("accelerate").handlers


def test_a_backend_that_is_not_used_is_refused(launch):
    script = """
from accelerate import Accelerator, InitProcessGroupKwargs, PartialState
from accelerate.state import AcceleratorState
Accelerator(kwargs_handlers=[InitProcessGroupKwargs(backend="gloo")])
AcceleratorState._reset_state(reset_partial_state=True)
try:
    Accelerator(kwargs_handlers=[InitProcessGroupKwargs(backend="mpi")])
except ValueError as error:
    print(error)
"""
    done = launch(script, 2)
    assert done.stdout.count("backend 'mpi' was asked for, but this job uses 'gloo'") == 2, done.stderr
