"""The provider `digitalocean`: Droplets, by DigitalOcean's SDK `pydo`."""
