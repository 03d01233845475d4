"""python/tests/test_stubs.py: what type checkers and help() see of the package."""

import ast
import inspect
import pathlib
import pkgutil
import sys

import accelerate
import pytest
from conftest import ROOT, run_bounded

PACKAGE = pathlib.Path(accelerate.__file__).parent
STUBS = ("_native.pyi", "__init__.pyi", "utils/__init__.pyi")

MISTAKES = """
from accelerate import Accelerator
from accelerate.utils import DistributedType, gather_object, set_seed, tqdm

accelerator = Accelerator(gradient_accumulation_steps="two")  # arg-type
accelerator.preapre()  # attr-defined
accelerator.device.tpye  # attr-defined
set_seed(1, device=True)  # call-arg
accelerator.num_processes.upper()  # attr-defined
accelerator.clip_grad_norm_([], max_norm=1.0).item()
accelerator.save_everything  # attr-defined
"""


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """`mypy(*arguments)`: with the settings of this project, in a folder of its own; runs share what they read."""
    folder = tmp_path_factory.mktemp("mypy")

    def run(*arguments):
        settings = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", folder / "cache"]
        return run_bounded([sys.executable, "-m", "mypy", *settings, *arguments], timeout=240, cwd=folder)

    return run


def test_stubs_are_those_of_the_installed_package(tmp_path):
    command = [ROOT / "tools/python_stubs.sh", tmp_path]
    result = run_bounded(command, timeout=60, cwd=tmp_path, env={"PYTHON": sys.executable})
    assert result.returncode == 0, result.stdout + result.stderr
    for name in STUBS:
        made, installed = (tmp_path / name).read_text(), (PACKAGE / name).read_text()
        assert made == installed, f"{name} differs from what is installed; run tools/python_stubs.sh and install again"


def test_a_checker_is_told_to_read_the_types():
    assert (PACKAGE / "py.typed").is_file()


def test_every_function_of_the_engine_names_its_arguments_and_says_what_it_does():
    tree = ast.parse((PACKAGE / "_native.pyi").read_text())
    checked = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node), node.name
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("__"):
            continue
        is_setter = any(isinstance(one, ast.Attribute) and one.attr == "setter" for one in node.decorator_list)
        if is_setter or node.name in ("name", "value"):  # pybind11's own, of an enumeration
            continue
        names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
        assert not [name for name in names if name.startswith("arg")], node.name
        assert ast.get_docstring(node), node.name
        checked += 1
    assert checked > 50


def test_package_has_no_contradictions(mypy):
    result = mypy("-p", "accelerate")
    assert result.returncode == 0, result.stdout + result.stderr


def test_published_loops_have_no_contradictions(mypy):
    loops = [ROOT / "examples/python" / name for name in ("plain_loop_prepared.py", "tutorial_loop.py")]
    result = mypy(*loops)
    assert result.returncode == 0, result.stdout + result.stderr


def test_mistakes_of_a_script_are_seen(mypy, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MISTAKES)
    result = mypy(script)
    seen = {int(line.split(":")[1]): line for line in result.stdout.splitlines() if ": error: " in line}
    expected = {
        number: line.split("# ")[1] for number, line in enumerate(MISTAKES.splitlines(), start=1) if "# " in line
    }
    assert {number: line[line.rindex("[") + 1 : -1] for number, line in seen.items()} == expected, result.stdout


# --- help()


def public_modules():
    names = (module.name for module in pkgutil.walk_packages([str(PACKAGE)], "accelerate."))
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def public_members(owner, home):
    """Functions and classes that `owner` (a module or a class of module `home`) defines itself."""
    for name, member in vars(owner).items():
        if isinstance(member, (staticmethod, classmethod)):
            member = member.__func__
        if isinstance(member, property):
            member = member.fget
        is_code = inspect.isfunction(member) or inspect.isclass(member)
        if is_code and not name.startswith("_") and member.__module__ == home:
            yield name, member


def parameters_of(function):
    parameters = inspect.signature(inspect.unwrap(function)).parameters.values()
    return [parameter for parameter in parameters if parameter.name not in ("self", "cls")]


def left_out(code, function, place):
    """Parameters of `function` that the docstring of `code` does not name, where it lists them."""
    names = [parameter.name for parameter in parameters_of(function) if not parameter.name.startswith("_")]
    unnamed = [name for name in names if name not in (code.__doc__ or "")]
    return [f"{place}: Args without {', '.join(unnamed)}"] if unnamed and "Args:" in (code.__doc__ or "") else []


def undocumented(function, place, is_inherited):
    found = [] if function.__doc__ or is_inherited else [f"{place}: no docstring"]
    untyped = [parameter.name for parameter in parameters_of(function) if parameter.annotation is parameter.empty]
    if untyped:
        found.append(f"{place}: no type of {', '.join(untyped)}")
    if "return" not in inspect.unwrap(function).__annotations__:
        found.append(f"{place}: no type of what it returns")
    return found + left_out(function, function, place)


@pytest.mark.parametrize("name", public_modules())
def test_everything_public_has_types_and_a_docstring(name):
    module = __import__(name, fromlist=["_"])
    found = [] if module.__doc__ else [f"{name}: no docstring"]
    for member_name, member in public_members(module, name):
        place = f"{name}.{member_name}"
        if not inspect.isclass(member):
            found += undocumented(member, place, is_inherited=False)
            continue
        found += [] if member.__doc__ else [f"{place}: no docstring"]
        found += left_out(member, member.__init__, place) if "__init__" in vars(member) else []
        for method_name, method in public_members(member, name):
            if not inspect.isclass(method):
                # What replaces a method of a base class does what that one says.
                is_inherited = any(hasattr(base, method_name) for base in member.__bases__)
                found += undocumented(method, f"{place}.{method_name}", is_inherited)
    assert not found, "\n".join(found)


def test_import_loads_nothing_beside_torch_and_the_engine():
    script = "import sys, torch; old = set(sys.modules); import accelerate; print(*sorted(set(sys.modules) - old))"
    result = run_bounded([sys.executable, "-c", script], timeout=60)
    assert result.stdout.split() == ["accelerate", "accelerate._native"], result.stdout + result.stderr
