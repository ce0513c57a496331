"""The Jupyter project's own suite for kernels, against our kernel spec."""

from __future__ import annotations

import jupyter_kernel_test as suite
import pytest

pytestmark = pytest.mark.usefixtures("installed")


class TestKernel(suite.KernelTests):  # type: ignore[misc]  # not typed
    """Every test of the suite: a client that follows the protocol finds nothing missing."""

    kernel_name = "codeact"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = (
        {"text": "zi", "matches": {"zip"}},
        {"text": "seg", "matches": set()},
    )
    complete_code_samples = ("1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n")
    incomplete_code_samples = ("print('''hello", "def f(x):\n  x*2")
    invalid_code_samples = ("import = 7q",)
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = (
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(4)]", "result": "[0, 1, 4, 9]"},
    )
    code_display_data = (
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {
            "code": "from IPython.display import Math, display; display(Math('\\\\frac{1}{2}'))",
            "mime": "text/latex",
        },
    )
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class TestWelcome(suite.IopubWelcomeTests):  # type: ignore[misc]  # not typed
    """A client that subscribes is welcomed, so that it knows it will miss nothing."""

    kernel_name = "codeact"
    support_iopub_welcome = True
