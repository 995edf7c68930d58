"""Says why an input is silent, in words that name the topic, its publishers and their QoS."""

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription


def explain_silence(node: Node, subscription: Subscription) -> str:
    """One sentence on a subscription that receives nothing."""
    topic = subscription.topic_name
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        return f'nothing on {topic}: it has no publisher; start the camera or remap the topic'
    wanted = type_name(subscription.msg_type)
    for publisher in publishers:
        if publisher.topic_type != wanted:
            return (
                f'nothing on {topic}: {publisher.node_name} publishes {publisher.topic_type} there, '
                f'expected {wanted}; remap the topic'
            )
        compatibility, reason = qos_check_compatible(publisher.qos_profile, subscription.qos_profile)
        if compatibility == QoSCompatibility.ERROR:
            return (
                f'nothing on {topic}: the QoS of {publisher.node_name} does not match '
                f'({reason.strip(" ;")}); set qos_overrides.{topic}.subscription.*'
            )
    return (
        f'nothing on {topic}: its {len(publishers)} publisher(s) match but nothing arrives; check the '
        f'camera, or, if large messages get lost, set qos_overrides.{topic}.subscription.reliability to '
        'reliable'
    )


def type_name(message_type: type) -> str:
    """Name of a message type as the graph knows it, such as `sensor_msgs/msg/Image`."""
    package, kind = message_type.__module__.split('.')[:2]
    return f'{package}/{kind}/{message_type.__name__}'
