"""Virtual machines of a libvirt daemon, by way of its own client `virsh`."""
