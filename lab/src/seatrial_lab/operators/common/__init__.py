"""What every operator of the lab shares: how it runs, talks to Kubernetes, reconciles and reports."""
