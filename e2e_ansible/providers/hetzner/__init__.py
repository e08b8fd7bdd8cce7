"""The provider `hetzner`: servers of Hetzner Cloud, by their SDK `hcloud`."""
