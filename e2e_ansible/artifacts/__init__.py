"""What is made once on the controller and copied to nodes: programs and packages."""
