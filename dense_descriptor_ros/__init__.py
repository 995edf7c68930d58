"""Dense descriptors and affordance frames for category-level manipulation."""

from pkgutil import extend_path

# The generated messages (`dense_descriptor_ros.msg`) are installed apart from a source checkout.
__path__ = extend_path(__path__, __name__)
