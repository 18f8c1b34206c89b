"""The gradient certificate: every derivative held against a second way of computing it.

`checks` finds what there is to verify from the package itself; each check gives a `Finding`.
`faults` plants mistakes that people make, and shows that the checks catch them.
"""

from handgrad.verification.certificate import certificate, checks, verify
from handgrad.verification.difference import central_difference, complex_step
from handgrad.verification.faults import FAULTS, Fault, caught, planted
from handgrad.verification.finding import Finding, Ledger
from handgrad.verification.networks import check_network

__all__ = [
    "FAULTS",
    "Fault",
    "Finding",
    "Ledger",
    "caught",
    "central_difference",
    "certificate",
    "check_network",
    "checks",
    "complex_step",
    "planted",
    "verify",
]
