"""Stateful fakes of clouds, and the cases that every provider of machines is held against."""

import pytest

pytest.register_assert_rewrite("tests.clouds.cases")
