# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands as the steps of a script; see script.c."""


def request(how, name, **arguments):
    """$ is the handle or process that the script has kept."""
    members = ",".join(f'"{key}":{value if value == "$" or isinstance(value, int) else quoted(value)}'
                       for key, value in arguments.items())
    return f'{how} {{"execute":"{name}","arguments":{{{members}}}}}\n'


def quoted(text):
    return f'"{text}"'
