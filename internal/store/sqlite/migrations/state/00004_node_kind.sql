-- +goose Up
-- Which rows of the port plan a node uses, where its role does not say it: desk.
ALTER TABLE nodes ADD COLUMN kind TEXT NOT NULL DEFAULT '';
