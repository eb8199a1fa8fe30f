"""Reviewer's name, and the (client, seq) signature of each row that a page writes to the store."""

import secrets
from typing import TypedDict

import streamlit as st


class RowSignature(TypedDict):
    """Signature of a row: the reviewer, and the (client, seq) that makes a row written twice harmless."""

    reviewer: str
    client: str
    seq: int


def reviewer() -> str:
    """The reviewer's name, as the sidebar has it."""
    return str(st.session_state.get("reviewer") or "reviewer").strip() or "reviewer"


def next_signature() -> RowSignature:
    """The signature of the next row that this browser session writes."""
    client = st.session_state.setdefault("page client", f"page-{secrets.token_hex(8)}")
    seq = st.session_state["page seq"] = int(st.session_state.get("page seq", 0)) + 1
    return RowSignature(reviewer=reviewer(), client=str(client), seq=seq)
