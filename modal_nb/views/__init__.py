"""What people see of pools in a notebook. Views hold no truth of their own: they show reports and act by the client."""
