"""The provider `static`: machines that exist already, of an ordinary inventory; some with Redfish."""
