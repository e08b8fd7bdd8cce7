"""The provider `gcp`: instances of Google Compute Engine, by its SDK `google-cloud-compute`."""
