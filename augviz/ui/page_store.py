"""Where Streamlit keeps the files that pages were sent, for `page_files.py`: in memory, by session."""

from __future__ import annotations

from streamlit.runtime import get_instance
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from augviz import visitors


class PageStore:
    """Of the runtime of this process."""

    def token_of(self, session: str) -> str:
        """The visitor's token with which a session's connection was opened; "" for a session that is not connected."""
        client = get_instance().get_client(session)
        context = client.client_context if client is not None else None
        return visitors.token_of(context.cookies, dict(context.headers)) if context is not None else ""

    def holds(self, session: str, file_id: str) -> bool:
        """Whether the file is there still."""
        return bool(self._files().get_files(session, [file_id]))

    def remove(self, session: str, file_id: str) -> None:
        """Give up a file."""
        self._files().remove_file(session, file_id)

    def forget(self, session: str) -> None:
        """Give up all files of a session."""
        self._files().remove_session_files(session)

    def _files(self) -> MemoryUploadedFileManager:
        files = get_instance().uploaded_file_mgr
        assert isinstance(files, MemoryUploadedFileManager)
        return files
