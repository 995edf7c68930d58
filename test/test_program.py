"""How command-line programs end."""

import pytest

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.program import errors_in_one_line


@pytest.mark.parametrize('error', [ConfigError('rate is 0'), FileNotFoundError('no such file')])
def test_an_error_that_the_user_can_mend_is_one_line(error):
    with pytest.raises(SystemExit, match=f'^error: {error}$'), errors_in_one_line():
        raise error


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), errors_in_one_line():
        _ = 1 / 0


def test_without_an_error_nothing_happens():
    with errors_in_one_line():
        pass
