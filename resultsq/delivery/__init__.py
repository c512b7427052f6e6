"""The worker: leases out, couriers to the master, settlements back; the prober that watches the link."""
