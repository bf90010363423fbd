"""Whose clock a process goes by."""

import json
import subprocess
import sys

JUMPS = """
import json
from datetime import timedelta
from hub import clock
own, ahead = clock.system, timedelta()
clock.system = lambda: own() + ahead  # as chaos does it
def off(): return round((clock.now() - own()).total_seconds())
found = []
for shared in (False, True):
    if shared:
        clock.agree(own() - timedelta(minutes=2))
    for minutes in (0, 5, -5):
        ahead = timedelta(minutes=minutes)
        found.append(off())
print(json.dumps(found))
"""


def test_a_jump_of_the_machines_clock_is_nothing_to_a_process_that_agreed_on_another() -> None:
    said = subprocess.run([sys.executable, "-c", JUMPS], capture_output=True, text=True, check=True)
    alone, agreed = json.loads(said.stdout)[:3], json.loads(said.stdout)[3:]
    assert alone == [0, 300, -300]
    assert agreed == [-120, -120, -120]
