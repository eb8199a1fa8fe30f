"""Who is at the keyboard, and which of their writings is this? What every row in the store carries."""

import secrets
from typing import TypedDict

import streamlit as st


class Author(TypedDict):
    """reviewer, and the (client, seq) that makes a row written twice harmless."""

    reviewer: str
    client: str
    seq: int


def reviewer() -> str:
    """The reviewer's name, as the sidebar has it."""
    return str(st.session_state.get("reviewer") or "reviewer").strip() or "reviewer"


def sign() -> Author:
    """The signature of the next row that this browser session writes."""
    client = st.session_state.setdefault("page client", f"page-{secrets.token_hex(8)}")
    seq = st.session_state["page seq"] = int(st.session_state.get("page seq", 0)) + 1
    return Author(reviewer=reviewer(), client=str(client), seq=seq)
