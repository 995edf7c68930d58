"""Training and evaluation of the network; needs torch and hydra, never ROS or PyBullet."""
