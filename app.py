"""The app: pages on one store, one question each. Run `linehealth app`, or `streamlit run app.py`."""

import sys
from pathlib import Path

import streamlit as st

PAGES = Path(__file__).resolve().parent / "analysis" / "pages"
if str(PAGES.parents[1]) not in sys.path:
    sys.path.insert(0, str(PAGES.parents[1]))

from analysis import logs  # noqa: E402  # the checkout must be importable first
from analysis.pages._login import admitted, way_out  # noqa: E402
from analysis.pipeline.opened import kept_open  # noqa: E402

st.set_page_config(page_title="Line Health", page_icon=str(PAGES / "icon.png"), layout="wide")
look = "dark" if st.context.theme.type == "dark" else "light"
st.logo(str(PAGES / f"logo-{look}.svg"), size="medium")
page = st.navigation(
    [
        st.Page(PAGES / "fleet.py", title="Fleet", url_path="fleet", default=True),
        st.Page(PAGES / "why.py", title="Why", url_path="why"),
        st.Page(PAGES / "replies.py", title="Replies and volume", url_path="replies"),
        st.Page(PAGES / "delivery.py", title="Delivery and audience", url_path="delivery"),
        st.Page(PAGES / "new.py", title="New conversations", url_path="new"),
        st.Page(PAGES / "ahead.py", title="Ahead", url_path="ahead"),
        st.Page(PAGES / "helped.py", title="Did it help?", url_path="helped"),
        st.Page(PAGES / "transitions.py", title="Transitions", url_path="transitions"),
        st.Page(PAGES / "data.py", title="Data", url_path="data"),
        st.Page(PAGES / "chat.py", title="Chat", url_path="chat", visibility="hidden"),
        st.Page(PAGES / "chats.py", title="Chats of a day", url_path="chats", visibility="hidden"),
    ],
    position="top",
)
logs.follow()
if admitted():
    with logs.timed("page", kind=page.url_path or "fleet"), kept_open():
        page.run()
    way_out()
    st.session_state.pop("store_moved", None)  # read whole from one state of the store
