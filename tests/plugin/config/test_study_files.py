"""A study's own files: one name a kind, the same in every run, told apart by the whole path."""

from pathlib import Path

from pytest_mipro.plugin.config.study_files import ensure_study_folder, study_file

HOME = Path("/project/.mipro")


def test_names_stay_what_earlier_runs_wrote():
    study = "tests/test_support_desk.mipro.json"
    assert study_file(HOME, "records", study) == HOME / "records/test_support_desk-a886ee3e.jsonl"
    assert study_file(HOME, "bills", study) == HOME / "bills/test_support_desk-a886ee3e.jsonl"
    page = HOME / "report/test_support_desk-a886ee3e/index.html"
    assert study_file(HOME, "report", study) == page
    assert study_file(HOME, "looks", study).name.startswith("a886ee3e")
    assert len(study_file(HOME, "looks", study).stem) == 16


def test_files_of_one_name_in_two_folders_are_two_studies():
    one, other = (study_file(HOME, "bills", f"{place}/t.mipro.json") for place in ("a", "b"))
    assert one != other


def test_both_folders_are_private(tmp_path):
    path = study_file(tmp_path / ".mipro", "looks", "t.mipro.json")
    ensure_study_folder(path)
    for folder in (path.parent, path.parent.parent):
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / ".gitignore").read_text() == "*\n"
