"""The provider `azure`: virtual machines of Azure, by its SDKs `azure-mgmt-*`."""
