"""A database connection that every container opens once and closes at its end.

Run it: modal-nb run examples/database_connection.py --book emma --year 1900
"""

import sqlite3
import tempfile
from pathlib import Path

import modal_nb as modal

app = modal.App("example-database-connection")

BOOKS = [("dune", 1965), ("emma", 1815), ("ulysses", 1922), ("middlemarch", 1871)]


@app.cls(max_containers=1, scaledown_window=30)
class Library:
    @modal.enter()
    def connect(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        # inputs may run on other threads than the hook did; they run one at a time
        self.database = sqlite3.connect(Path(self.folder.name, "books.db"), check_same_thread=False)
        self.database.execute("create table books (title text primary key, year integer)")
        self.database.executemany("insert into books values (?, ?)", BOOKS)
        self.connections = 1

    @modal.method()
    def year_of(self, title: str) -> int | None:
        row = self.database.execute("select year from books where title = ?", [title]).fetchone()
        return row and int(row[0])

    @modal.method()
    def before(self, year: int) -> list[str]:
        rows = self.database.execute("select title from books where year < ? order by year", [year])
        return [title for (title,) in rows]

    @modal.method()
    def connections_made(self) -> int:
        return self.connections

    @modal.exit()
    def disconnect(self) -> None:
        self.database.close()
        self.folder.cleanup()


@app.local_entrypoint()
def main(book: str = "dune", year: int = 1900) -> None:
    library = Library()
    print(f"{book}: {library.year_of.remote(book)}")
    print(f"before {year}: {', '.join(library.before.remote(year))}")
    years = dict(zip([title for title, _ in BOOKS], library.year_of.map(t for t, _ in BOOKS), strict=True))
    print(f"{len(years)} books by {library.connections_made.remote()} connection")
