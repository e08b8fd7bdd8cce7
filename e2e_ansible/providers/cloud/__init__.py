"""All providers of machines by an API: one `driver.CloudProvider` over a small `machine.Cloud` for each."""
