-- Who may do what, stated anew after every migration. A group role that does
-- not exist is made where the session may make roles, and left out otherwise.
-- People and machines get roles of their own, which are members of these.

DO $$
DECLARE
	duty text;
	may  text;
BEGIN
	IF (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		FOREACH duty IN ARRAY ARRAY['admin', 'enrol', 'publish', 'serve', 'radius'] LOOP
			BEGIN
				IF to_regrole('tcpboot_' || duty) IS NULL THEN
					EXECUTE format('CREATE ROLE %I NOLOGIN', 'tcpboot_' || duty);
				END IF;
			EXCEPTION WHEN duplicate_object OR unique_violation THEN
				NULL; -- a registry in another database of this server was faster
			END;
		END LOOP;
	END IF;

	FOREACH duty IN ARRAY ARRAY['admin', 'enrol', 'publish', 'serve', 'radius'] LOOP
		IF to_regrole('tcpboot_' || duty) IS NOT NULL THEN
			EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA tcpboot FROM %I', 'tcpboot_' || duty);
			EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tcpboot FROM %I', 'tcpboot_' || duty);
			EXECUTE format('GRANT USAGE ON SCHEMA tcpboot TO %I', 'tcpboot_' || duty);
		END IF;
	END LOOP;

	FOR duty, may IN VALUES
		-- Everything but the schema, which is its owner's.
		('admin', 'SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA tcpboot'),
		('admin', 'DELETE ON visit'),
		('admin', 'DELETE ON renewal'),
		('admin', 'DELETE ON report, stop'),

		-- Boards and their credentials, and the CRL.
		('enrol', 'SELECT ON ALL TABLES IN SCHEMA tcpboot'),
		('enrol', 'INSERT, UPDATE ON device, credential'),
		('enrol', 'UPDATE (fresh) ON login'),
		('enrol', 'INSERT ON audit, crl'),
		('enrol', 'UPDATE ON audit_head'),
		('enrol', 'UPDATE (certificate), DELETE ON renewal'),

		-- Releases. Of credentials what is public.
		('publish', 'SELECT ON schema_version, device, stray, offer, release_sequence, release_counter, crl, audit, audit_head, login, superseded, visit'),
		('publish', 'SELECT ON report, stop, renewal'),
		('publish', 'SELECT (serial, mac, certificate, issuer, issued, until, ended, reason) ON credential'),
		('publish', 'INSERT, UPDATE ON offer, release_sequence, release_counter'),
		('publish', 'INSERT ON audit'),
		('publish', 'UPDATE ON audit_head'),

		-- Answering boards: a reader, but for the visits.
		('serve', 'SELECT ON schema_version, device, stray, offer, audit_head, login, superseded'),
		('serve', 'SELECT (sequence, time, action, hash) ON audit'),
		('serve', 'SELECT (serial, mac, certificate, issuer, issued, until, ended, reason) ON credential'),
		('serve', 'SELECT, INSERT, UPDATE, DELETE ON visit'),
		('serve', 'SELECT, INSERT, UPDATE, DELETE ON report, stop'),
		('serve', 'SELECT, INSERT ON latch'),
		('serve', 'SELECT, INSERT ON renewal'),
		('serve', 'UPDATE (time, key, proved, request, certificate, joined) ON renewal'),

		-- The RADIUS server: it reads two views, and says who logged in.
		('radius', 'SELECT ON radcheck, radreply'),
		('radius', 'EXECUTE ON FUNCTION seen(text, text)')
	LOOP
		IF to_regrole('tcpboot_' || duty) IS NOT NULL THEN
			-- Visits have migrations of their own: what they make may not be there yet.
			BEGIN
				EXECUTE format('GRANT %s TO %I', may, 'tcpboot_' || duty);
			EXCEPTION WHEN undefined_table THEN
				NULL;
			END;
		END IF;
	END LOOP;
END $$;
