"""Pure: a suite and a provider's capabilities go in; playbooks, a source map and a hash come out."""
