"""The ROS 2 node: converts messages, calls the core, publishes what it finds."""
