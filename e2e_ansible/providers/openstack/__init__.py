"""The provider `openstack`: servers of nova, by the SDK `openstacksdk`."""
