"""Settings that must be in place before any test imports ROS."""

import os

# A domain of this run's own, on this machine only: nothing else that runs here is heard or disturbed.
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
