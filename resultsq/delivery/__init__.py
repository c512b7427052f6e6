"""The worker: leases out, senders to the master, settlements back; the prober that watches the link."""
