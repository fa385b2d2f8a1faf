-- +goose Up
-- Where servers dial a node: what was said of it, and where it came from last.
ALTER TABLE nodes ADD COLUMN addresses TEXT;
ALTER TABLE nodes ADD COLUMN found TEXT NOT NULL DEFAULT '';
