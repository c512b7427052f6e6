"""The conformance kit: runs the upload contract (../CONTRACT.md) against any master and reports the result.

It is for developers of a master. It knows the master by its address alone and shares no wire code with the node's
adapter or the reference master.
"""
