"""One public function for each verb: the Python API."""
